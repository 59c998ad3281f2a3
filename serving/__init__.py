"""Layer 3: answering one lead, all leads, a marketer, a CRM; and the command line."""
