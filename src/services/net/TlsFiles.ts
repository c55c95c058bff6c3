/**
 * Reads and checks the PEM files of the TLS configuration, so that an invalid file, or a key that does not match its
 * certificate, is an error at start and not of the first client.
 */
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import type { SecureContextOptions } from "node:tls"
import * as SystemText from "../core/SystemText.ts"
import type { TlsVersion } from "../options/OptionKind.ts"
import { invalidTlsConfig, type NetError, textOf } from "./NetError.ts"
import * as Trust from "./Trust.ts"

/** The TLS options of a daemon, under the names of its flags. */
export interface TlsSettings {
  /** Path of the certificate; empty for no TLS. */
  readonly tlsCert: string
  /** Path of the certificate's key; empty for no TLS. */
  readonly tlsKey: string
  /** `require`, `require-verify`, or empty: client certificates are not requested. */
  readonly tlsClientAuthPolicy: string
  /** Path of the certificate authorities that verify client certificates; empty for those of the system. */
  readonly tlsRootCaFile: string
  /** The lowest version that a client may negotiate. */
  readonly tlsMinVersion: TlsVersion
}

const read = (flag: string, path: string): Effect.Effect<string, NetError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => invalidTlsConfig(`${flag}: ${SystemText.ofFile(path, cause)}`)
  })

/** Reads the certificates of a bundle; fails if it contains no certificate. */
const readAuthorities = Effect.fnUntraced(function*(path: string): Effect.fn.Return<Array<string>, NetError> {
  const bundle = yield* read("--tls-root-ca-file", path)
  const found = Trust.certificatesIn(bundle)
  if (found.length > 0) return found
  return yield* invalidTlsConfig(`--tls-root-ca-file: failed to append certificate to pool: ${path}`)
})

/** Reads the authorities of `--tls-root-ca-file`; returns `undefined` for those of the system. */
export const authorities = (
  { tlsRootCaFile }: Pick<TlsSettings, "tlsRootCaFile">
): Effect.Effect<Array<string> | undefined, NetError> =>
  tlsRootCaFile === "" ? Effect.undefined : readAuthorities(tlsRootCaFile)

const check = (flag: string, path: string, options: SecureContextOptions) =>
  Effect.tryPromise({
    try: async () => (await import("node:tls")).createSecureContext(options),
    catch: (cause) => invalidTlsConfig(`${flag}: ${path}: ${textOf(cause)}`)
  })

/** Reads the files of `options`; returns `undefined` if there is neither certificate nor key. */
export const load = Effect.fnUntraced(function*(
  options: TlsSettings
): Effect.fn.Return<SecureContextOptions | undefined, NetError> {
  const { tlsCert, tlsKey } = options
  // Checked without a certificate as well, because requests to other servers trust these authorities.
  const ca = yield* authorities(options)
  if (tlsCert === "" && tlsKey === "") return undefined
  if (tlsCert === "" || tlsKey === "") {
    return yield* invalidTlsConfig("--tls-cert and --tls-key must be set together")
  }
  const cert = yield* read("--tls-cert", tlsCert)
  yield* check("--tls-cert", tlsCert, { cert })
  const key = yield* read("--tls-key", tlsKey)
  yield* check("--tls-key", tlsKey, { cert, key })
  if (ca !== undefined) return { cert, key, ...Trust.given(ca) }
  if (options.tlsClientAuthPolicy !== "require-verify") return { cert, key }
  return { cert, key, ...Trust.system(yield* Effect.promise(() => import("node:tls"))) }
})
