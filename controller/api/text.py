"""Text that any database can keep: without U+0000, which PostgreSQL has in no text.

Requests' models inherit `StrictRequest`; addresses with it are refused by `controller.api.limits`.
What is refused is also documented: `without_nul` writes it into the schemas.
"""

from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    Strict,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

T = TypeVar("T")

NO_NUL = r"^[^\x00]*$"
Flag = Annotated[bool, Strict()]
"""true or false, and not what pydantic would take for it, as 0 or "yes"."""
_TOLD_OTHERWISE = {"pattern", "format", "enum", "const"}


class StrictRequest(BaseModel):
    """What a client sends: no field that is not known, no NUL in any text, no text for a number."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _with_real_numbers(cls, given: T) -> T:
        for name, value in given.items() if isinstance(given, dict) else ():
            field = cls.model_fields.get(name)
            if field is None or not isinstance(value, bool | str):
                continue
            types = get_args(field.annotation) or (field.annotation,)
            if int in types and str not in types:
                raise PydanticCustomError(
                    "number", "{field}: a number is asked for", {"field": name}
                )
        return given

    @field_validator("*")
    @classmethod
    def _without_nul(cls, value: T) -> T:
        texts = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(text, str) and "\0" in text for text in texts):
            raise PydanticCustomError("nul", "a text has no NUL character")
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            without_nul(field)
        return schema


def without_nul(schema: dict[str, Any]) -> None:
    """Adds to a schema that its texts have no NUL, where no other rule for them says so."""
    if schema.get("type") == "string" and not _TOLD_OTHERWISE & schema.keys():
        schema["pattern"] = NO_NUL
    for choice in schema.get("anyOf", []):
        without_nul(choice)
    if isinstance(schema.get("items"), dict):
        without_nul(schema["items"])
