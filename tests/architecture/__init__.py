"""What holds for the tree as a whole: layers, sizes, names, locks, commands, documents, the build."""
