"""A synthetic B2B market with a known truth.

    market.py profiles.py        who the people are           hazard.py    what makes them convert, all constants
    state.py sessions.py days.py what a day does to them      run.py       living through all days
    trail.py events.py ...       what it leaves as records    write.py     the dataset
    forward.py truth.py          the chance of converting     report.py    how good anybody could be

A market is made from three numbers (leads, days, seed). What decides the future is drawn apart from what is only
drawn to be seen (times of day, referrers, mails), so that the same run can be lived again without writing it.
"""
