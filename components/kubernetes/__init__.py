"""What the workloads of every Kubernetes cluster share, whoever runs it."""
