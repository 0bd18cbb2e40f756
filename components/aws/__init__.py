"""What several of the components of AWS make alike: buckets, log groups, policy documents. No component itself."""
