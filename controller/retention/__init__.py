"""How long each class of data is kept, and the job that deletes what nobody holds.

`classes` names the classes, `plan` decides what may go (pure), `job` deletes it. A new class is a
member of `DataClass`, its default in `controller.config` and its rule in `job`.
"""
