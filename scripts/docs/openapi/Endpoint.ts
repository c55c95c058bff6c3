/** The parts of an HTTP API that its OpenAPI document is made of. */
import { Schema } from "effect"

/** Any JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** A parameter in the query, in the path or among the headers of a request. */
export interface Parameter {
  readonly name: string
  readonly in: "query" | "path" | "header"
  readonly description: string
  readonly required: boolean
  readonly schema: JsonSchema
  readonly example?: string | number | boolean
}

/** The content of a request or of a response. */
export interface Content {
  readonly type: string
  readonly description: string
  readonly schema: JsonSchema
  readonly example?: unknown
  /** Whether the example is valid, for content with a Schema. */
  readonly isValid: (value: unknown) => boolean
}

/** An error response: its status, the `message` of its JSON or the whole text, and what causes it. */
export interface Failure {
  readonly status: number
  readonly code: string
  readonly cause: string
  readonly isText: boolean
}

/** An endpoint. */
export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** In the form of the routers: parameters begin with a colon. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: ReadonlyArray<Parameter>
  readonly body?: Content
  /** The content of 200; an empty response without one. */
  readonly response?: Content
  readonly failures?: ReadonlyArray<Failure>
  readonly isDeprecated?: boolean
  /** Whether NSQ's daemon does not have it. */
  readonly isOwn?: boolean
}

/** An HTTP API. */
export interface Api {
  readonly name: string
  readonly summary: string
  readonly server: string
  readonly endpoints: ReadonlyArray<Endpoint>
  /** Schemas that become components, by their names. */
  readonly schemas: Readonly<Record<string, Schema.Top>>
}

/** Returns a failure. */
export const failure = (status: number, code: string, cause: string): Failure => ({
  status,
  code,
  cause,
  isText: false
})

/** Returns a failure whose response is text. */
export const textFailure = (status: number, code: string, cause: string): Failure => ({
  status,
  code,
  cause,
  isText: true
})

/** Returns a parameter of the query, a string by default. */
export const query = (
  name: string,
  description: string,
  example?: string | number | boolean,
  options: { readonly required?: boolean; readonly schema?: JsonSchema } = {}
): Parameter => ({
  name,
  in: "query",
  description,
  required: options.required ?? false,
  schema: options.schema ?? { type: "string" },
  ...example === undefined ? {} : { example }
})

/** Returns a parameter of the path. */
export const inPath = (name: string, description: string, example: string): Parameter => ({
  name,
  in: "path",
  description,
  required: true,
  schema: { type: "string" },
  example
})

/** Returns a parameter that is a header. */
export const header = (name: string, description: string, example: string): Parameter => ({
  name,
  in: "header",
  description,
  required: false,
  schema: { type: "string" },
  example
})

/** Returns the JSON Schema of what a daemon writes for a Schema: every key that is not optional is there. */
export const written = (schema: Schema.Top): JsonSchema => {
  const document = Schema.toJsonSchemaDocument(Schema.toType(schema))
  return Object.keys(document.definitions).length === 0
    ? document.schema
    : { ...document.schema, $defs: document.definitions }
}

/** Returns JSON with a Schema, and an example of it. */
export const json = <S extends Schema.Top>(schema: S, description: string, example: S["Type"]): Content => ({
  type: "application/json",
  description,
  schema: written(schema),
  example,
  isValid: Schema.is(Schema.toType(schema))
})

/** Returns text. */
export const text = (description: string, example: string, type = "text/plain"): Content => ({
  type,
  description,
  schema: { type: "string" },
  example,
  isValid: (value) => typeof value === "string"
})

/** Returns bytes: a message, or several. */
export const bytes = (description: string, example: string): Content =>
  text(description, example, "application/octet-stream")
