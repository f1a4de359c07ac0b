"""The commands of the lab: experiments, reports, checking."""
