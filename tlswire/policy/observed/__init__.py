"""What was seen, as subjects that policies look at: one module for each place it is seen in.

Must not import anything of tlswire but rooms above ``policy`` and, of policy, ``facts``.
"""
