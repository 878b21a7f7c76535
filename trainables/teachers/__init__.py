"""Networks that teach others: by name or from an exported folder, with answers that are kept on disk."""
