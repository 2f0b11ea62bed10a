"""What is known of an exhibit beside its pictures: how it is packed, written, tagged and signed."""
