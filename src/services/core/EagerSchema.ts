/** Takes the place of `LazySchema` in programs that are bundled (package.json, `imports`), with the Schemas made at once. */
import { Schema } from "effect"

/** Returns the Schema that `make` returns. */
export const lazySchema = <S extends object>(make: (schema: typeof Schema) => S): S => make(Schema)
