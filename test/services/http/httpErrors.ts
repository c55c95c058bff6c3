/** Errors of requests to daemons, for fake daemons. */
import { HttpError, HttpErrorReason } from "../../../src/services/http/HttpError.ts"

/** The error of a GET to the daemon at `address` that refuses connections. */
export const unreachable = (address: string, description = "connection refused"): HttpError =>
  new HttpError({
    address,
    method: "GET",
    url: `http://${address}/`,
    reason: HttpErrorReason.ConnectionFailure({ description, code: "" })
  })
