"""Pure decisions of the intake: how fast a project may publish, and how much in a month."""
