"""Why a line is what it is: sentences, tables and the usage rows behind it.

Belongs here: telling. Does not belong here: deciding; every figure is asked of the rules and stages
that the run asked, with the terms and exports that the line was made from.
"""
