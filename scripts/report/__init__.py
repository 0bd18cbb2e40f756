"""What people and auditors get from a review: SARIF, a report to read, a picture of the flows, signed evidence."""
