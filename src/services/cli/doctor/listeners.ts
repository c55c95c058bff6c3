/** The checks of listeners: access without authentication, and certificates that expire. */
import { Clock, Effect } from "effect"
import { isOpen } from "../../net/Exposure.ts"
import { splitAddress } from "../../net/Transport.ts"
import { table } from "../../nsqd/options/NsqdTable.ts"
import * as Certificates from "./Certificates.ts"
import type { DaemonFile } from "./DaemonFile.ts"
import type { Finding } from "./Finding.ts"
import type { Observation, ObservedNsqd } from "./Observation.ts"

const insecure = (subject: string, name: string, address: string): Finding => ({
  severity: "warning",
  check: "insecure-listener",
  subject,
  cause: `no authentication on ${address} (${name}): every machine that reaches it has full access`,
  remedy: "listen on 127.0.0.1, restrict it with a firewall, or see docs/security.md"
})

const textOption = ({ options }: ObservedNsqd, key: string): string => {
  const value = options.get(key)
  return typeof value === "string" ? value : ""
}

const hostAddress = (url: string): string => url.replace(/^https?:\/\/(?:[^@/]*@)?/, "").replace(/\/.*$/, "")

/** The listeners of an nsqd as its HTTP API shows them; without its options, the address at which it responds. */
const ofNsqd = (nsqd: ObservedNsqd): ReadonlyArray<readonly [name: string, address: string]> => {
  const { address, info, options } = nsqd
  if (info._tag === "Failure") return []
  if (options.size === 0) return address.startsWith("https:") ? [] : [["HTTP", hostAddress(address)]]
  const isCertified = textOption(nsqd, table.tlsClientAuthPolicy.key) === "require-verify"
  const auth = options.get(table.authHttpAddresses.key)
  const hasAuth = Array.isArray(auth) && auth.length > 0
  const hasPlainHttp = !isCertified || textOption(nsqd, table.tlsRequired.key) === "tcp-https"
  return [
    ...hasAuth || isCertified ? [] : [["TCP", textOption(nsqd, table.tcpAddress.key)] as const],
    ...hasPlainHttp ? [["HTTP", textOption(nsqd, table.httpAddress.key)] as const] : []
  ]
}

/** Listeners of the cluster that other machines can use without authentication. */
export const insecureListeners = ({ nsqds }: Observation): ReadonlyArray<Finding> =>
  nsqds.flatMap((nsqd) =>
    ofNsqd(nsqd).filter(([, address]) => isOpen(address)).map(([name, address]) =>
      insecure(`nsqd ${nsqd.address}`, name, address)
    )
  )

/** Listeners of a config file that other machines can use without authentication. */
export const insecureListenersOfFile = ({ daemon, file, listeners }: DaemonFile): ReadonlyArray<Finding> =>
  listeners.filter(({ address, isProtected }) => !isProtected && isOpen(address)).map(({ address, name }) =>
    insecure(`${daemon} ${file}`, name, address)
  )

const dayMillis = 86_400_000
const minDays = 30

const expiry = (subject: string, expiresAt: number, now: number): ReadonlyArray<Finding> => {
  const days = Math.floor((expiresAt - now) / dayMillis)
  if (days >= minDays) return []
  const date = new Date(expiresAt).toISOString().slice(0, 10)
  return [{
    severity: days < 0 ? "error" : "warning",
    check: "expiring-certificate",
    subject,
    cause: days < 0 ? `its certificate has expired on ${date}` : `its certificate expires on ${date}, in ${days} days`,
    remedy: "renew the certificate, and send SIGHUP to nsqd, which loads it without closing connections"
  }]
}

/** The certificates of config files that expire within 30 days, or cannot be read. */
export const expiringCertificatesOfFile = Effect.fnUntraced(function*({ certificate, daemon, file }: DaemonFile) {
  if (certificate === "") return []
  const now = yield* Clock.currentTimeMillis
  return yield* Effect.match(Certificates.expiryOfFile(certificate), {
    onSuccess: (expiresAt) => expiry(`${daemon} ${file}`, expiresAt, now),
    onFailure: ({ message: cause }): ReadonlyArray<Finding> => [{
      severity: "error",
      check: "unreadable-certificate",
      subject: `${daemon} ${file}`,
      cause,
      remedy: "correct the path, or write the certificate as PEM"
    }]
  })
})

/** The addresses of a cluster that use TLS: HTTPS addresses as given, and the HTTPS listeners that nsqds show. */
const tlsAddresses = ({ lookupds, nsqds }: Observation): ReadonlyArray<readonly [subject: string, address: string]> =>
  [
    ...lookupds.map(({ address }) => [`nsqlookupd ${address}`, address] as const),
    ...nsqds.flatMap((nsqd) => {
      const subject = `nsqd ${nsqd.address}`
      const port = splitAddress(textOption(nsqd, table.httpsAddress.key))?.port ?? 0
      const host = splitAddress(hostAddress(nsqd.address))?.host ?? ""
      const hasTls = textOption(nsqd, table.tlsCert.key) !== "" && port > 0
      return [[subject, nsqd.address] as const, ...hasTls ? [[subject, `https://${host}:${port}`] as const] : []]
    })
  ].filter(([, address]) => address.startsWith("https:"))

/** The certificates of the cluster's HTTPS listeners that expire within 30 days. Listeners without a response have other findings. */
export const expiringCertificates = Effect.fnUntraced(function*(observation: Observation) {
  const now = yield* Clock.currentTimeMillis
  const found = yield* Effect.forEach(
    tlsAddresses(observation),
    ([subject, address]) =>
      Effect.match(Certificates.expiryOfServer(address), {
        onSuccess: (expiresAt) => expiry(subject, expiresAt, now),
        onFailure: (): ReadonlyArray<Finding> => []
      }),
    { concurrency: 16 }
  )
  return found.flat()
})
