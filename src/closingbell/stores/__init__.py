"""The database: everything that is written or planned from goes through here."""
