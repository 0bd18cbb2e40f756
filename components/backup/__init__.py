"""Capability ``backup``: what is kept beside the databases' own backups, and how one comes back from it."""

PLATFORMS = {
    "aws": "components.backup.aws:AwsBackup",
    "kubernetes": "components.backup.kubernetes:KubernetesBackup",
}
