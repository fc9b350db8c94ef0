// Which spellings of an e-mail address are one person's. Pure.

/** Trimmed, in lower case, without the part from a `+` on: mail to all of these reaches the same box. */
export function normalEmail(email: string): string {
  const text = email.trim().toLowerCase()
  const at = text.lastIndexOf('@')
  const plus = text.indexOf('+')
  return plus > 0 && plus < at ? text.slice(0, plus) + text.slice(at) : text
}
