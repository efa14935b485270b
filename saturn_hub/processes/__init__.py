"""Children of ours: bound to the life of whoever started them, with their output in files of a bounded size. Imports nothing of the rest."""
