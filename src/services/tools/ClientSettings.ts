/**
 * The options of `--consumer-opt` and `--producer-opt` (docs/protocol/tools.md#client-options): name, type and range of each,
 * as in NSQ's client library, and the options of our client that they become. Options that our client does not need are
 * accepted without effect.
 */
import { Duration, Effect, Redacted, Result } from "effect"
import { readFile } from "node:fs/promises"
import type { ConnectionOptions, ConsumerOptions, TlsOptions } from "../client/index.ts"
import * as GoDuration from "../core/GoDuration.ts"
import * as SystemText from "../core/SystemText.ts"
import * as Kind from "../options/OptionKind.ts"
import { invalidOption, type ToolError } from "./ToolError.ts"

/** Values by option name; durations in ms. */
export type ClientSettings = ReadonlyMap<string, string | number | boolean>

type Parse = (text: string) => Result.Result<string | number | boolean, string>

const text: Parse = Result.succeed
const flag: Parse = (value) => Result.mapError(Kind.bool.parse(value, undefined), ({ reason }) => reason)

const ranged = (
  parse: (text: string) => Result.Result<number, string>,
  show: (value: number) => string,
  min: number,
  max: number
): Parse =>
(text) =>
  Result.flatMap(parse(text), (value) => {
    if (value < min) return Result.fail(`! ${show(value)} < ${show(min)}`)
    return value > max ? Result.fail(`! ${show(value)} > ${show(max)}`) : Result.succeed(value)
  })

const integer = (min = -Infinity, max = Infinity): Parse =>
  ranged((text) => Result.mapError(Kind.int.parse(text, undefined), ({ reason }) => reason), String, min, max)

const parseMillis = (text: string): Result.Result<number, string> =>
  Result.mapBoth(GoDuration.parse(/^\d+$/.test(text) ? `${text}ms` : text), {
    onSuccess: Duration.toMillis,
    onFailure: ({ message }) => message
  })

const showMillis = (millis: number): string => GoDuration.format(Duration.millis(millis))

const duration = (min = 0, max = Infinity): Parse => ranged(parseMillis, showMillis, min, max)

const fraction: Parse = ranged(
  (text) => Number.isNaN(Number(text)) || text === "" ? Result.fail("parse error") : Result.succeed(Number(text)),
  String,
  0,
  1
)

const oneOf = (...words: ReadonlyArray<string>): Parse => (text) =>
  words.includes(text) ? Result.succeed(text) : Result.fail(`must be one of ${words.join(", ")}`)

const [second, minute] = [1000, 60_000]
const uint16 = 65_536

const options: ReadonlyMap<string, Parse> = new Map([
  ["dial_timeout", duration()],
  ["read_timeout", duration(100, 5 * minute)],
  ["write_timeout", duration(100, 5 * minute)],
  ["local_addr", text],
  ["lookupd_poll_interval", duration(10, 5 * minute)],
  ["lookupd_poll_jitter", fraction],
  ["lookupd_poll_timeout", duration()],
  ["max_requeue_delay", duration(0, 60 * minute)],
  ["default_requeue_delay", duration(0, 60 * minute)],
  ["backoff_strategy", oneOf("exponential", "full_jitter")],
  ["max_backoff_duration", duration(0, 60 * minute)],
  ["backoff_multiplier", duration(0, 60 * minute)],
  // Go converts to 16 bits, so the value wraps.
  [
    "max_attempts",
    (value) =>
      Result.map(Kind.int.parse(value, undefined), (n) => ((n % uint16) + uint16) % uint16).pipe(
        Result.mapError(({ reason }) => reason)
      )
  ],
  ["low_rdy_idle_timeout", duration(second, 5 * minute)],
  ["low_rdy_timeout", duration(second, 5 * minute)],
  ["rdy_redistribute_interval", duration(1, 5 * second)],
  ["client_id", text],
  ["hostname", text],
  ["user_agent", text],
  ["heartbeat_interval", duration()],
  ["sample_rate", integer(0, 99)],
  ["tls_v1", flag],
  ["tls_root_ca_file", text],
  ["tls_cert", text],
  ["tls_key", text],
  ["tls_insecure_skip_verify", flag],
  ["tls_min_version", oneOf("ssl3.0", "tls1.0", "tls1.1", "tls1.2", "tls1.3")],
  ["deflate", flag],
  ["deflate_level", integer(1, 9)],
  ["snappy", flag],
  ["output_buffer_size", integer()],
  ["output_buffer_timeout", duration()],
  ["max_in_flight", integer(0)],
  ["msg_timeout", duration(0)],
  ["auth_secret", text],
  ["auth_without_tls", flag],
  ["skip_lookupd_authorization", flag]
])

/** Parses one `name,value`; without a comma the value is true. */
const parseOne = (given: string): Result.Result<readonly [string, string | number | boolean], string> => {
  const comma = given.indexOf(",")
  const name = (comma < 0 ? given : given.slice(0, comma)).replaceAll("-", "_")
  const parse = options.get(name)
  if (parse === undefined) return Result.fail(`invalid option ${name}`)
  return Result.mapBoth(parse(comma < 0 ? "true" : given.slice(comma + 1)), {
    onSuccess: (value) => [name, value] as const,
    onFailure: (reason) => `invalid ${name} ${reason}`
  })
}

/** The kind of the repeatable flags `--consumer-opt` and `--producer-opt`. */
export const kind: Kind.OptionKind<ClientSettings> = {
  isSwitch: false,
  placeholder: "value",
  parse: (given, before = new Map()) =>
    Result.mapBoth(parseOne(given), {
      onSuccess: ([name, value]) => new Map([...before, [name, value]]),
      onFailure: Kind.invalidText
    }),
  decode: () => Result.fail(Kind.invalidText("can only be given as a flag")),
  format: () => "",
  render: () => ({ _tag: "Json", json: [] })
}

// ---- conversion to the client's options

const number = (settings: ClientSettings, name: string): number | undefined => {
  const value = settings.get(name)
  return typeof value === "number" ? value : undefined
}
const string = (settings: ClientSettings, name: string): string | undefined => {
  const value = settings.get(name)
  return typeof value === "string" ? value : undefined
}
const isOn = (settings: ClientSettings, name: string): boolean => settings.get(name) === true

/** Removes fields that are undefined. */
const defined = <Fields extends object>(fields: Fields): { [K in keyof Fields]?: Exclude<Fields[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof Fields]?: Exclude<Fields[K], undefined>
  }

const readPem = (path: string | undefined): Effect.Effect<Buffer | undefined, ToolError> =>
  path === undefined || path === ""
    ? Effect.undefined
    : Effect.tryPromise({ try: () => readFile(path), catch: (error) => invalidOption(SystemText.ofFile(path, error)) })

const tlsVersions = {
  "ssl3.0": "TLSv1",
  "tls1.0": "TLSv1",
  "tls1.1": "TLSv1.1",
  "tls1.2": "TLSv1.2",
  "tls1.3": "TLSv1.3"
} as const

const tlsOptions = Effect.fnUntraced(function*(settings: ClientSettings): Effect.fn.Return<TlsOptions, ToolError> {
  const version = string(settings, "tls_min_version")
  return defined({
    ca: yield* readPem(string(settings, "tls_root_ca_file")),
    cert: yield* readPem(string(settings, "tls_cert")),
    key: yield* readPem(string(settings, "tls_key")),
    insecureSkipVerify: isOn(settings, "tls_insecure_skip_verify") || undefined,
    minVersion: Object.entries(tlsVersions).find(([name]) => name === version)?.[1]
  })
})

/** Returns the connection options; reads the certificate files. `program` is the user agent. */
export const connectionOptions = Effect.fnUntraced(function*(
  settings: ClientSettings,
  program: string
): Effect.fn.Return<ConnectionOptions, ToolError> {
  if (isOn(settings, "deflate") && isOn(settings, "snappy")) {
    return yield* invalidOption("cannot enable both deflate and snappy compression")
  }
  const secret = string(settings, "auth_secret")
  return defined({
    userAgent: program,
    tls: isOn(settings, "tls_v1") ? yield* tlsOptions(settings) : undefined,
    compression: isOn(settings, "deflate")
      ? "deflate" as const
      : isOn(settings, "snappy")
      ? "snappy" as const
      : undefined,
    deflateLevel: number(settings, "deflate_level"),
    authSecret: secret === undefined ? undefined : Redacted.make(secret),
    authWithoutTls: isOn(settings, "auth_without_tls") || undefined,
    dialTimeout: number(settings, "dial_timeout"),
    heartbeatInterval: number(settings, "heartbeat_interval"),
    clientId: string(settings, "client_id"),
    hostname: string(settings, "hostname"),
    sampleRate: number(settings, "sample_rate"),
    msgTimeout: number(settings, "msg_timeout"),
    outputBufferSize: number(settings, "output_buffer_size"),
    outputBufferTimeout: number(settings, "output_buffer_timeout")
  })
})

type Consuming = Pick<
  ConsumerOptions<Uint8Array>,
  | "maxAttempts"
  | "defaultRequeueDelay"
  | "maxRequeueDelay"
  | "maxBackoffDuration"
  | "backoffMultiplier"
  | "lowReadyIdleTimeout"
>

/** Returns the options of a consumer. */
export const consumingOptions = (settings: ClientSettings): Consuming =>
  defined({
    maxAttempts: number(settings, "max_attempts"),
    defaultRequeueDelay: number(settings, "default_requeue_delay"),
    maxRequeueDelay: number(settings, "max_requeue_delay"),
    maxBackoffDuration: number(settings, "max_backoff_duration"),
    backoffMultiplier: number(settings, "backoff_multiplier"),
    lowReadyIdleTimeout: number(settings, "low_rdy_idle_timeout")
  })

/** Returns the options of polling nsqlookupd. */
export const pollOptions = (
  settings: ClientSettings
): { readonly pollInterval?: Duration.Input; readonly pollJitter?: number } =>
  defined({
    pollInterval: number(settings, "lookupd_poll_interval"),
    pollJitter: number(settings, "lookupd_poll_jitter")
  })
