/* The doctor's rules for programs of any language: JSON in, JSON out. libbnlab_doctor.so exports these functions.
 *
 * Texts are UTF-8 and end with 0. What a function returns is freed by bnlab_doctor_free(). None of them throws, prints
 * or ends the process; NULL comes back only where memory is short. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#define BNLAB_DOCTOR_EXPORT __attribute__((visibility("default")))

/* facts: as bnlab/doctor/facts.h describes them. Returns {"report": …} (bnlab/doctor/views.h), or {"error": "…"} with a
 * sentence that begins with the key that is wrong. */
BNLAB_DOCTOR_EXPORT char* bnlab_doctor_examine(const char* facts);

/* The report as a text: format is "text", "sarif" or "baseline". Returns {"text": "…"} or {"error": "…"}. */
BNLAB_DOCTOR_EXPORT char* bnlab_doctor_write(const char* report, const char* format);

/* The report without the findings that a baseline accepts (bnlab/doctor/baseline.h). Returns {"report": …} or
 * {"error": "…"}. */
BNLAB_DOCTOR_EXPORT char* bnlab_doctor_accept(const char* report, const char* baseline);

/* Frees what the functions above returned; NULL is taken. */
BNLAB_DOCTOR_EXPORT void bnlab_doctor_free(char* text);

#ifdef __cplusplus
}
#endif
