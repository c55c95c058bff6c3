/**
 * The PEM files that TLS is configured with, read and checked: whether certificate and key are what they should be and belong
 * together comes out here, not with the first client.
 */
import { Data, Effect } from "effect"
import { readFile } from "node:fs/promises"
import type { SecureContextOptions } from "node:tls"
import type { TlsVersion } from "../options/OptionKind.ts"
import * as Trust from "./Trust.ts"

/** The TLS options of a daemon, under the names of its flags. */
export interface TlsSettings {
  /** Path of the certificate; empty for none. */
  readonly tlsCert: string
  /** Path of the certificate's key; empty for none. */
  readonly tlsKey: string
  /** `require`, `require-verify`, or empty: client certificates are not requested. */
  readonly tlsClientAuthPolicy: string
  /** Path of the authorities that client certificates are verified with; empty for those of the system. */
  readonly tlsRootCaFile: string
  /** The oldest version that a client may negotiate. */
  readonly tlsMinVersion: TlsVersion
}

/** TLS cannot be offered as configured. */
export class TlsConfigError extends Data.TaggedError("TlsConfigError")<{ readonly message: string }> {}

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const read = (flag: string, path: string): Effect.Effect<string, TlsConfigError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => new TlsConfigError({ message: `${flag}: ${messageOf(cause)}` })
  })

/** The certificates of a bundle; there has to be one. */
const readAuthorities = Effect.fnUntraced(function*(path: string): Effect.fn.Return<Array<string>, TlsConfigError> {
  const bundle = yield* read("--tls-root-ca-file", path)
  const found = Trust.certificatesIn(bundle)
  if (found.length > 0) return found
  return yield* new TlsConfigError({ message: `--tls-root-ca-file: failed to append certificate to pool: ${path}` })
})

/** The authorities that `--tls-root-ca-file` names; `undefined` for those of the system. */
export const authorities = (
  { tlsRootCaFile }: Pick<TlsSettings, "tlsRootCaFile">
): Effect.Effect<Array<string> | undefined, TlsConfigError> =>
  tlsRootCaFile === "" ? Effect.undefined : readAuthorities(tlsRootCaFile)

const check = (flag: string, path: string, options: SecureContextOptions) =>
  Effect.tryPromise({
    try: async () => (await import("node:tls")).createSecureContext(options),
    catch: (cause) => new TlsConfigError({ message: `${flag}: ${path}: ${messageOf(cause)}` })
  })

/** What the files of `options` hold; `undefined` when there is neither certificate nor key. */
export const load = Effect.fnUntraced(function*(
  options: TlsSettings
): Effect.fn.Return<SecureContextOptions | undefined, TlsConfigError> {
  const { tlsCert, tlsKey } = options
  // Checked without a certificate as well: requests to other servers are to trust it.
  const ca = yield* authorities(options)
  if (tlsCert === "" && tlsKey === "") return undefined
  if (tlsCert === "" || tlsKey === "") {
    return yield* new TlsConfigError({ message: "--tls-cert and --tls-key are only of use together" })
  }
  const cert = yield* read("--tls-cert", tlsCert)
  yield* check("--tls-cert", tlsCert, { cert })
  const key = yield* read("--tls-key", tlsKey)
  yield* check("--tls-key", tlsKey, { cert, key })
  if (ca !== undefined) return { cert, key, ...Trust.given(ca) }
  if (options.tlsClientAuthPolicy !== "require-verify") return { cert, key }
  return { cert, key, ...Trust.system(yield* Effect.promise(() => import("node:tls"))) }
})
