/**
 * The contexts of `nsq`: named clusters with their addresses, TLS and secrets, in a TOML file
 * (docs/cli.md#contexts). Secrets are not in the file: `env:NAME` and `file:PATH` say where they are.
 */
import { Config, Effect, FileSystem, Option, Path, type PlatformError, Redacted, Schema } from "effect"
import { parse } from "smol-toml"
import type { ConnectionOptions } from "../client/index.ts"
import * as SystemText from "../core/SystemText.ts"
import { CliError, CliErrorReason } from "./CliError.ts"

const Addresses = Schema.optionalKey(Schema.Array(Schema.String))

/** A named cluster. */
export const NamedCluster = Schema.Struct({
  nsqd_http_addresses: Addresses,
  nsqd_tcp_addresses: Addresses,
  lookupd_http_addresses: Addresses,
  /** `env:NAME` or `file:PATH`. */
  auth_secret: Schema.optionalKey(Schema.String),
  tls: Schema.optionalKey(Schema.Boolean),
  tls_root_ca_file: Schema.optionalKey(Schema.String),
  tls_cert: Schema.optionalKey(Schema.String),
  tls_key: Schema.optionalKey(Schema.String)
})
/** A named cluster. */
export type NamedCluster = typeof NamedCluster.Type

/** The file of contexts. */
export const Contexts = Schema.Struct({
  /** The name of the context that is used without `--context`. */
  current: Schema.optionalKey(Schema.String),
  contexts: Schema.optionalKey(Schema.Record(Schema.String, NamedCluster))
})
/** The file of contexts. */
export type Contexts = typeof Contexts.Type

const decode = Schema.decodeUnknownEffect(Contexts, { onExcessProperty: "error" })

const invalid = (description: string): CliError =>
  new CliError({ reason: CliErrorReason.InvalidContext({ description }) })

/** The path of the file: `NSQ_CONTEXTS`, or `nsq/contexts.toml` in `XDG_CONFIG_HOME`, by default `~/.config`. */
export const path = Effect.gen(function*() {
  const paths = yield* Path.Path
  const given = yield* Config.option(Config.String("NSQ_CONTEXTS"))
  if (Option.isSome(given)) return given.value
  const home = yield* Config.option(Config.String("HOME"))
  const base = yield* Config.option(Config.String("XDG_CONFIG_HOME"))
  const directory = Option.getOrElse(base, () => paths.join(Option.getOrElse(home, () => "."), ".config"))
  return paths.join(directory, "nsq", "contexts.toml")
}).pipe(Effect.mapError(({ message }) => invalid(message)))

/** Returns the problem of a file, in one line for each; the words of Schema for a key that it does not have say too little. */
const problemOf = (message: string): string =>
  message.replaceAll("Expected no excess property", "unknown key").replaceAll(/\n\s+at /g, " at ")

/** The error of a file that cannot be read, in the words of the operating system. */
const unreadable = (file: string, { message, reason }: PlatformError.PlatformError): CliError =>
  invalid(reason.cause === undefined ? message : SystemText.ofFile(file, reason.cause))

/** Reads the file. Without a file there are no contexts. */
export const load = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const file = yield* path
  const exists = yield* Effect.orElseSucceed(files.exists(file), () => false)
  if (!exists) return {}
  const text = yield* Effect.mapError(files.readFileString(file), (error) => unreadable(file, error))
  const value = yield* Effect.try({
    try: () => parse(text),
    catch: (cause) => invalid(`${file}: ${cause instanceof Error ? cause.message.split("\n")[0] : String(cause)}`)
  })
  return yield* Effect.mapError(decode(value), ({ message }) => invalid(`${file}: ${problemOf(message)}`))
})

/** Returns the cluster of a name, or the current one; `undefined` if there is neither. Fails for an unknown name. */
export const find = (
  contexts: Contexts,
  name: string | undefined
): Effect.Effect<NamedCluster | undefined, CliError> => {
  const wanted = name ?? contexts.current
  if (wanted === undefined) return Effect.undefined
  const cluster = contexts.contexts?.[wanted]
  if (cluster !== undefined) return Effect.succeed(cluster)
  const known = Object.keys(contexts.contexts ?? {})
  return Effect.fail(invalid(
    `no context "${wanted}"; ${
      known.length === 0 ? "define it in the file of contexts (docs/cli.md#contexts)" : `known: ${known.join(", ")}`
    }`
  ))
}

const readFile = Effect.fnUntraced(function*(file: string) {
  const files = yield* FileSystem.FileSystem
  return yield* Effect.mapError(files.readFileString(file), (error) => unreadable(file, error))
})

/** Reads a secret from where the context says it is. */
const readSecret = Effect.fnUntraced(function*(place: string) {
  if (place.startsWith("file:")) return (yield* readFile(place.slice("file:".length))).trim()
  if (!place.startsWith("env:")) return yield* invalid("auth_secret must be env:NAME or file:PATH")
  const name = place.slice("env:".length)
  return yield* Effect.mapError(Config.String(name), () => invalid(`auth_secret: ${name} is not set`))
})

/** Returns how to connect to the nsqds of a cluster. */
export const connectionOf = Effect.fnUntraced(function*(
  cluster: NamedCluster
): Effect.fn.Return<ConnectionOptions, CliError, FileSystem.FileSystem> {
  const { auth_secret: secret, tls, tls_cert: cert, tls_key: key, tls_root_ca_file: ca } = cluster
  return {
    ...secret === undefined ? {} : { authSecret: Redacted.make(yield* readSecret(secret)) },
    ...tls !== true ? {} : {
      tls: {
        ...ca === undefined ? {} : { ca: yield* readFile(ca) },
        ...cert === undefined ? {} : { cert: yield* readFile(cert) },
        ...key === undefined ? {} : { key: yield* readFile(key) }
      }
    }
  }
})
