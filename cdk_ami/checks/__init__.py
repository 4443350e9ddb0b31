"""What AWS would refuse, as pure rules over plain data.

One fact, one rule, one place: constructs call a rule before they render, and the same rule judges plain templates.
A module holds the rules of one subject.
"""
