"""The only way out: rules judged on shares, the gate that permits a release, and the seal that only its recipient can break.

What a rule reads stays on shares; nothing here computes a study's figures or opens one to a server. May import `base` to `plan`.
"""
