"""What the file itself says and shows of its making, in words. No markup."""
