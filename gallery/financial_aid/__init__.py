"""Average student aid, from a survey and a register of aid that never meet (US Department of Education, NPSAS × NSLDS).

The survey office knows who was sampled, with weights and characteristics; the register knows who got how much. The average per group
goes to the survey office; neither learns who is in both.
"""
