/**
 * The texts of failed requests and connections for people: the address, the reason in the words of the operating system, and what to do.
 */
import { AdminError, HttpErrorReason } from "../admin/index.ts"
import { ClientError } from "../client/index.ts"
import * as SystemText from "../core/SystemText.ts"

const otherCluster = "--lookupd-http-address, --nsqd-http-address or --context"

const remedies: Readonly<Record<string, string>> = {
  ECONNREFUSED: `start the daemon there, or name another cluster with ${otherCluster}`,
  ENOTFOUND: `correct the name, or name another cluster with ${otherCluster}`
}

const noServer =
  "start nsqd there, or name another cluster with --nsqd-tcp-address, --lookupd-http-address or --context"

const needsSecret = "set auth_secret in a context and name it with --context"

const wrongPort =
  "check that it is the HTTP address of the daemon that the flag names: 4151 of nsqd, 4161 of nsqlookupd"

const withRemedy = (text: string, remedy: string | undefined): string =>
  remedy === undefined ? text : `${text}; ${remedy}`

/** A response in another form comes from another program, or from the port for TCP. */
const ofRequest = (address: string, reason: HttpErrorReason): string | undefined => {
  if (!HttpErrorReason.$is("ConnectionFailure")(reason)) return undefined
  const { code } = reason
  if (code.startsWith("HPE_")) return `${address} does not speak HTTP; ${wrongPort}`
  if (code === "EPROTO") return `${address} does not speak TLS; name it without https://, or give its address for HTTPS`
  const text = SystemText.ofCode(code)
  return text === undefined ? undefined : withRemedy(`${address}: ${text}`, remedies[code])
}

const ofAdmin = (error: AdminError): string => {
  const { address, message, reason } = error
  if (reason._tag === "RequestFailure") return ofRequest(address, reason.error.reason) ?? message
  return reason._tag === "Refusal" && reason.status === 404 && reason.code === "NOT_FOUND"
    ? `${message}; ${wrongPort}`
    : message
}

/** Returns the text of an error. */
export const of = (error: { readonly message: string }): string => {
  if (error instanceof AdminError) return ofAdmin(error)
  if (!(error instanceof ClientError)) return error.message
  const { message, reason } = error
  // nsqd requires a secret, and the client has none.
  if (message.endsWith("Auth Required")) return withRemedy(message, needsSecret)
  const isRefused = reason._tag === "NoServer" && message.includes("connection refused")
  return withRemedy(message, isRefused ? noServer : undefined)
}
