"""The controller's database: `tables` (every table), `engine` (connections), `migrations`.

Everything in the controller may import it; it imports nothing of the controller. A new table goes
into `tables` and into a new Alembic revision under `migrations/versions`; a test compares the two.
"""
