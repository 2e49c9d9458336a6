"""What may keep a month from being billed well, looked at before a run: one question a function.

Belongs here: the questions and their answers. Does not belong here: which are asked, and in which
order (`doctor`), and mending anything: nothing here changes what it looks at.
"""
