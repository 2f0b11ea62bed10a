"""Comparisons with a reference as they are shown: words, facts, time map and pictures. No markup."""
