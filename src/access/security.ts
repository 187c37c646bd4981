/**
 * `security { }`: which addresses may publish and play, in SRS's order.
 * @module
 */

import { contains } from "../config/network.ts";
import type { AccessRule, Action, SecurityConfig } from "../config/types.ts";
import { ErrorCode, type Refusal } from "../rtmp/error.ts";

/**
 * Why an address may not; null: it may. The place of a rule in the file does not matter: an address
 * that is denied is out; then, with any `allow` at all (also of the other action), one has to match.
 */
export function checkSecurity(
  { enabled, allow, deny }: SecurityConfig,
  action: Action,
  ip: string,
): Refusal | null {
  if (!enabled) return null;
  const refused = (code: number, why: string): Refusal => {
    return { code, reason: `security: ${ip} may not ${action}: ${why}` };
  };
  const matches = (rule: AccessRule) =>
    rule.action === action && (rule.network === null || contains(rule.network, ip));
  if (allow.length === 0 && deny.length === 0) {
    return refused(ErrorCode.SECURITY_NO_RULES, "there are no rules");
  }
  const denied = deny.find(matches);
  if (denied) {
    return refused(ErrorCode.SECURITY_DENIED, `deny ${denied.action} ${denied.text}`);
  }
  if (allow.length > 0 && !allow.some(matches)) {
    return refused(ErrorCode.SECURITY_NOT_ALLOWED, "no rule allows it");
  }
  return null;
}
