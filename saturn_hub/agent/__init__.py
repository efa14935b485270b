"""The small programs beside user code that prepare, run, record and report. Standard library only; imports nothing of the rest."""
