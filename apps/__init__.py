"""The domains of Trunkline; README.md beside this file is the map."""
