"""EventBridge: what happens in the sandbox, told to whoever made a rule for it."""
