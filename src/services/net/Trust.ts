/**
 * The trusted certificates, the same for every use of TLS: those of a file, or those of the system. As in Go, every certificate
 * in the file is trusted, also an intermediate one or the peer's own.
 *
 * Takes `node:tls` as an argument, so that only programs that use TLS load it.
 */
import { Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import type * as Tls from "node:tls"

/** Certificates in PEM, or bundles of them. */
export type Authorities = string | Buffer | Array<string | Buffer>

/** Options of a secure context, or of a connection, that verifies its peer. */
export interface Trust {
  readonly ca?: Authorities
  readonly allowPartialTrustChain: true
}

/** Trusts these certificates and every certificate that one of them has signed. */
export const given = (ca: Authorities): Trust => ({ ca, allowPartialTrustChain: true })

const pemBlock = /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END \1?CERTIFICATE-----/g

/** Returns the certificates of a bundle. As in Go, invalid blocks are ignored. */
export const certificatesIn = (bundle: string): Array<string> => {
  const { X509Certificate } = process.getBuiltinModule("node:crypto")
  return (bundle.match(pemBlock) ?? []).filter((pem) => Result.isSuccess(Result.try(() => new X509Certificate(pem))))
}

/** Returns an empty array if `read` fails: as in Go, unreadable directories and files are skipped. */
const orNothing = <A>(read: () => ReadonlyArray<A>): ReadonlyArray<A> => Result.getOrElse(Result.try(read), () => [])

/** Reads the certificates of directories separated by colons, as in OpenSSL and Go; Node takes the whole string for one name. */
const inDirectories = (names: string): ReadonlyArray<string> =>
  names.split(":").flatMap((directory) =>
    orNothing(() => readdirSync(directory)).flatMap((file) =>
      orNothing(() => certificatesIn(readFileSync(join(directory, file), "utf8")))
    )
  )

let known: Trust | undefined

/**
 * Trusts the certificates of the system: its store, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`; and those of
 * `NODE_EXTRA_CA_CERTS`. Uses Node's own list if the system has no store and neither of the first two is set. The result is
 * cached, because reading takes long.
 */
export const system = (tls: typeof Tls): Trust => {
  if (known === undefined) {
    const [file = "", directories = ""] = [process.env["SSL_CERT_FILE"], process.env["SSL_CERT_DIR"]]
    const store = [
      ...tls.getCACertificates("system"),
      ...(directories.includes(":") ? inDirectories(directories) : [])
    ]
    const isStore = store.length > 0 || file + directories !== ""
    known = isStore
      ? given([...new Set([...store, ...tls.getCACertificates("extra")])])
      : { allowPartialTrustChain: true }
  }
  return known
}

type MinVersion = Tls.SecureContextOptions["minVersion"]

const contexts = new Map<MinVersion, Tls.SecureContext>()

/** Returns a context that trusts the certificates of the system and has none of its own. Cached, because it is expensive. */
export const systemContext = (tls: typeof Tls, minVersion?: MinVersion): Tls.SecureContext => {
  const made = contexts.get(minVersion)
  if (made !== undefined) return made
  const context = tls.createSecureContext({
    ...system(tls),
    ...(minVersion === undefined ? {} : { minVersion })
  })
  contexts.set(minVersion, context)
  return context
}
