"""What an account settles for all of a Region: who may see its disks, which AMIs it trusts, how it starts servers."""
