/**
 * Fields that older daemons omit and lists that Go writes as null. They are lenient when they are decoded only: a type requires
 * every key, and encoding writes every value as it is.
 */
import { Effect, Option, Schema, SchemaGetter } from "effect"

/** A field with a default for a missing key. */
export const orElse = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

/** A number; 0 if the key is missing. */
export const Count = orElse(Schema.Finite, 0)

/** A string; empty if the key is missing. */
export const Text = orElse(Schema.String, "")

/** A boolean; `false` if the key is missing. */
export const Flag = orElse(Schema.Boolean, false)

/** A list or null. The items are left to the schema that decodes them, so that they are checked once and not twice. */
const listed = <S extends Schema.Top>(_: S) =>
  Schema.declare((value): value is ReadonlyArray<S["Encoded"]> | null => value === null || Array.isArray(value))

/** A list that is empty if it is null. The key is required. */
export const list = <S extends Schema.Top>(item: S) =>
  listed(item).pipe(Schema.decodeTo(Schema.Array(item), {
    decode: SchemaGetter.transform((items) => items ?? []),
    encode: SchemaGetter.passthroughSupertype()
  }))

/** A list that is empty if it is null or its key is missing. */
export const optionalList = <S extends Schema.Top>(item: S) =>
  Schema.optionalKey(listed(item)).pipe(Schema.decodeTo(Schema.Array(item), {
    decode: SchemaGetter.transformOptional((items) => Option.some(Option.getOrNull(items) ?? [])),
    encode: SchemaGetter.passthroughSupertype()
  }))

/** A list or null; null if the key is missing. */
export const listOrNull = <S extends Schema.Top>(item: S) =>
  Schema.optionalKey(listed(item)).pipe(Schema.decodeTo(Schema.NullOr(Schema.Array(item)), {
    decode: SchemaGetter.transformOptional((items) => Option.some(Option.getOrNull(items))),
    encode: SchemaGetter.passthrough()
  }))
