"""The report of a scale as one HTML page: pictures, curves, tables, the audit, trainings and costs."""
