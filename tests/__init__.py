"""The tests, split by what they touch: CONTRIBUTING.md says where one goes."""
