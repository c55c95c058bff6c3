/** Describes a TLS connection in NSQ's terms. */
import type { TLSSocket } from "node:tls"
import type { TlsDetails } from "./TlsHandshake.ts"

/** The suites that NSQ has names for, and the numbers of the other suites that Node can negotiate. */
const namedSuites = new Set([
  "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
  "TLS_RSA_WITH_AES_128_CBC_SHA",
  "TLS_RSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
])
const suiteNumbers = new Map([
  ["TLS_AES_128_GCM_SHA256", 4865],
  ["TLS_AES_256_GCM_SHA384", 4866],
  ["TLS_CHACHA20_POLY1305_SHA256", 4867],
  ["TLS_AES_128_CCM_SHA256", 4868],
  ["TLS_RSA_WITH_AES_128_CBC_SHA256", 60],
  ["TLS_RSA_WITH_AES_256_CBC_SHA256", 61],
  ["TLS_RSA_WITH_AES_128_GCM_SHA256", 156],
  ["TLS_RSA_WITH_AES_256_GCM_SHA384", 157],
  ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", 158],
  ["TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", 159],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 49187],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", 49188],
  ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 49191],
  ["TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", 49192],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 49196],
  ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 49200],
  ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 52392],
  ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 52393]
])

const cipherSuite = (name: string): string => {
  if (namedSuites.has(name)) return name
  const number = suiteNumbers.get(name)
  return number === undefined ? name : `Unknown ${number}`
}

/**
 * Returns the properties of a connection after its handshake.
 *
 * @since 0.2.0
 * @category operations
 */
export const details = (secure: TLSSocket): TlsDetails => {
  const commonName = secure.getPeerCertificate().subject?.CN ?? ""
  return {
    version: (secure.getProtocol() ?? "").replace(/^TLSv1$/, "TLSv1.0").replace("TLSv", "TLS"),
    cipherSuite: cipherSuite(secure.getCipher().standardName),
    commonName: typeof commonName === "string" ? commonName : commonName.at(-1) ?? ""
  }
}
