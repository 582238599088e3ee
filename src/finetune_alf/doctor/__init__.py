"""`finetune-alf doctor`: what this machine, this installation and this project are like, and what needs attention.

Each module looks at one thing and returns findings. Nothing here writes.
"""
