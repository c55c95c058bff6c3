/** The reply to IDENTIFY: the features of a server, as a Schema for programs, and the client's own decoder, which needs no Schema. */
import { Effect, type Schema as SchemaModule } from "effect"
import { lazySchema } from "../core/LazySchema.ts"

/** What a server without feature negotiation has. */
const defaults = {
  max_rdy_count: 2500,
  version: "",
  msg_timeout: 60_000,
  max_msg_timeout: 900_000,
  tls_v1: false,
  deflate: false,
  deflate_level: 6,
  snappy: false,
  auth_required: false,
  headers: false,
  reject: false
}

/**
 * The server's reply to IDENTIFY; the defaults are those of a server without feature negotiation.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ServerFeatures = /* @__PURE__ */ lazySchema((
  Schema: Pick<
    typeof SchemaModule,
    "Boolean" | "Int" | "optionalKey" | "String" | "Struct" | "withDecodingDefaultTypeKey"
  >
) =>
  Schema.Struct({
    max_rdy_count: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.max_rdy_count))),
    version: Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.version))),
    /** Milliseconds. */
    msg_timeout: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.msg_timeout))),
    /** Milliseconds. */
    max_msg_timeout: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.max_msg_timeout))),
    tls_v1: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.tls_v1))),
    deflate: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.deflate))),
    deflate_level: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.deflate_level))),
    snappy: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.snappy))),
    auth_required: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.auth_required))),
    /** Whether the server has headers of messages; NSQ's has not. */
    headers: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.headers))),
    /** Whether a REQ with a reason makes a message a dead letter; not of NSQ's. */
    reject: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(defaults.reject))),
    /** Largest message in bytes. No nsqd states it so far; a proxy may. */
    max_msg_size: Schema.optionalKey(Schema.Int)
  })
)
export type ServerFeatures = typeof ServerFeatures.Type

/** The features of a server without feature negotiation. */
export const withoutNegotiation: ServerFeatures = defaults

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Decodes the reply like `ServerFeatures`; returns `undefined` if it is not valid. */
export const decodeFeatures = (text: string): ServerFeatures | undefined => {
  const given = parsed(text)
  if (!isRecord(given)) return undefined
  let isValid = true
  const int = (key: "deflate_level" | "max_msg_timeout" | "max_rdy_count" | "msg_timeout"): number => {
    const { [key]: value = defaults[key] } = given
    if (typeof value === "number" && Number.isSafeInteger(value)) return value
    isValid = false
    return 0
  }
  const flag = (key: "auth_required" | "deflate" | "headers" | "reject" | "snappy" | "tls_v1"): boolean => {
    const { [key]: value = false } = given
    if (typeof value !== "boolean") isValid = false
    return value === true
  }
  const { max_msg_size: size, version = "" } = given
  if (typeof version !== "string") return undefined
  if (size !== undefined && !(typeof size === "number" && Number.isSafeInteger(size))) return undefined
  const features = {
    max_rdy_count: int("max_rdy_count"),
    version,
    msg_timeout: int("msg_timeout"),
    max_msg_timeout: int("max_msg_timeout"),
    tls_v1: flag("tls_v1"),
    deflate: flag("deflate"),
    deflate_level: int("deflate_level"),
    snappy: flag("snappy"),
    auth_required: flag("auth_required"),
    headers: flag("headers"),
    reject: flag("reject"),
    ...(size === undefined ? {} : { max_msg_size: size })
  }
  return isValid ? features : undefined
}
