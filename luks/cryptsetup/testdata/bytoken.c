/* bytoken FILE DEVICE TOKEN SIGNATURES PIN: opens a LUKS2 volume by a token as systemd-cryptsetup does, without
 * device-mapper: no name is given, so that libcryptsetup only looks whether the passphrase that
 * systemd's plugin has from the TPM opens a keyslot. It prints that keyslot's number. cryptsetup,
 * the program, cannot tell the plugin which TPM to use, nor where policy signatures are. Both
 * of the last may be empty; TOKEN -1 is any. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of libcryptsetup.h, whose package is not needed for so little. */
struct crypt_device;
int crypt_init(struct crypt_device **cd, const char *device);
int crypt_load(struct crypt_device *cd, const char *type, void *params);
int crypt_activate_by_token_pin(struct crypt_device *cd, const char *name, const char *type, int token,
				const char *pin, size_t pin_size, void *usrptr, uint32_t flags);
void crypt_free(struct crypt_device *cd);

/* What systemd's plugin takes as usrptr; later releases have one path more. */
struct params {
	uint32_t search_pcr_mask;
	const char *device, *signature_path, *pcrlock_path;
};

int main(int argc, char **argv) {
	struct crypt_device *cd = NULL;
	struct params params = {.search_pcr_mask = UINT32_MAX}; /* any PCRs */
	const char *pin;
	int r;

	if (argc != 6)
		return 2;
	params.device = argv[2];
	params.signature_path = argv[4][0] ? argv[4] : NULL;
	pin = argv[5][0] ? argv[5] : NULL;
	if ((r = crypt_init(&cd, argv[1])) >= 0 && (r = crypt_load(cd, "LUKS2", NULL)) >= 0)
		r = crypt_activate_by_token_pin(cd, NULL, "systemd-tpm2", atoi(argv[3]), pin, pin ? strlen(pin) : 0, &params, 0);
	if (r < 0)
		fprintf(stderr, "%s\n", strerror(-r));
	else
		printf("%d\n", r);
	crypt_free(cd);
	return r < 0;
}
