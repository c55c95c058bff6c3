/**
 * Which certificates a peer is trusted by, the same for every use of TLS: those of a file, or those of the system. As in Go, a
 * certificate in the file counts by itself, also an intermediate one or the peer's own.
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

/** Trusts what is signed by one of these, and these themselves. */
export const given = (ca: Authorities): Trust => ({ ca, allowPartialTrustChain: true })

const pemBlock = /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END \1?CERTIFICATE-----/g

/** The certificates of a bundle. As with Go, blocks that are none do no harm. */
export const certificatesIn = (bundle: string): Array<string> => {
  const { X509Certificate } = process.getBuiltinModule("node:crypto")
  return (bundle.match(pemBlock) ?? []).filter((pem) => Result.isSuccess(Result.try(() => new X509Certificate(pem))))
}

/** Nothing where `read` fails: as in Go, directories and files that cannot be read are passed over. */
const orNothing = <A>(read: () => ReadonlyArray<A>): ReadonlyArray<A> => Result.getOrElse(Result.try(read), () => [])

/** The certificates of several directories, with colons between them as in OpenSSL and Go; Node takes them for one name. */
const inDirectories = (names: string): ReadonlyArray<string> =>
  names.split(":").flatMap((directory) =>
    orNothing(() => readdirSync(directory)).flatMap((file) =>
      orNothing(() => certificatesIn(readFileSync(join(directory, file), "utf8")))
    )
  )

let known: Trust | undefined

/**
 * Trusts what the system trusts: its store, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name; and what `NODE_EXTRA_CA_CERTS` adds.
 * Node's own list is used where the system has no store, but not where one of the first two is set. Read once, which takes a
 * while.
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

/** A context that trusts what the system trusts and shows no certificate. Kept: it takes long to make. */
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
