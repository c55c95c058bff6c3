/**
 * Which certificates a peer is trusted by, the same for every use of TLS: those of a file, or those of the system. As in Go, a
 * certificate in the file counts by itself, also an intermediate one or the peer's own.
 *
 * Takes `node:tls` as an argument, so that only programs that use TLS load it.
 */
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

let known: Trust | undefined

/**
 * Trusts what the system trusts: its store, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name. Node's own list is used where the
 * system has no store, but not where one of the variables is set. Read once, which takes a while.
 */
export const system = (tls: typeof Tls): Trust => {
  if (known === undefined) {
    const found = [...new Set(tls.getCACertificates("system"))]
    const isNamed = process.env["SSL_CERT_FILE"] !== undefined || process.env["SSL_CERT_DIR"] !== undefined
    known = found.length > 0 || isNamed ? given(found) : { allowPartialTrustChain: true }
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
