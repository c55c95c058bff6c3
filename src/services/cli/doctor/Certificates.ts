/** The expiry of certificates: of PEM files, and of servers. */
import { Effect } from "effect"
import { X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import * as Tls from "node:tls"
import { handshakeFailure, invalidTlsConfig, type NetError, textOf } from "../../net/NetError.ts"

const expiryOf = (certificate: X509Certificate): number => Date.parse(certificate.validTo)

/** Returns when the first certificate of a PEM file expires, in milliseconds since the Unix epoch. */
export const expiryOfFile = (path: string): Effect.Effect<number, NetError> =>
  Effect.tryPromise({
    try: async () => expiryOf(new X509Certificate(await readFile(path))),
    catch: (cause) => invalidTlsConfig(`${path}: ${textOf(cause)}`)
  })

/** Returns when the certificate of the server at an HTTPS URL expires. Accepts every certificate, and sends no request. */
export const expiryOfServer = (url: string): Effect.Effect<number, NetError> =>
  Effect.callback<number, NetError>((resume) => {
    const { hostname, port } = URL.parse(url) ?? { hostname: "", port: "" }
    const host = hostname.replace(/^\[|\]$/g, "")
    const socket = Tls.connect({ host, port: Number(port || 443), rejectUnauthorized: false })
    socket.on("error", (error) => resume(Effect.fail(handshakeFailure(error.message))))
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerX509Certificate()
      resume(
        certificate === undefined
          ? Effect.fail(handshakeFailure("the server has no certificate"))
          : Effect.succeed(expiryOf(certificate))
      )
      socket.destroy()
    })
    return Effect.sync(() => void socket.destroy())
  }).pipe(
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => Effect.fail(handshakeFailure("no handshake within 5 s"))
    })
  )
