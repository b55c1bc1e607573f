"""What women and men are paid, over the payrolls of a hundred employers that show theirs to nobody (Boston Women's Workforce Council).

Employers add up their own staff by job, race or ethnicity, and gender. The council gets means over all employers and by industry, where
enough people and employers stand behind them; which headcounts are too small for that is decided on shares, and told to nobody.
"""
