"""What was in force when: the revisions of the policy set, kept in the registry's store."""
