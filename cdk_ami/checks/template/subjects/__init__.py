"""The rules over templates, a module for each subject."""
