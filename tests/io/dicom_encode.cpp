// Recodes a DICOM file with DCMTK's encoders, for tests: dicom_encode IN OUT SYNTAX_UID [QUALITY]
#include <cstdlib>
#include <iostream>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpeg/djrplol.h>
#include <dcmtk/dcmjpeg/djrploss.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/dcmjpls/djencode.h>
#include <dcmtk/dcmjpls/djrparam.h>
#include <dcmtk/oflog/oflog.h>

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  OFLog::configure(OFLogger::ERROR_LOG_LEVEL);
  DcmRLEEncoderRegistration::registerCodecs();
  DJDecoderRegistration::registerCodecs();
  DJEncoderRegistration::registerCodecs();
  DJLSEncoderRegistration::registerCodecs();
  DcmFileFormat file;
  OFCondition status = file.loadFile(argv[1]);
  if (status.bad()) {
    std::cerr << status.text() << "\n";
    return 1;
  }
  const E_TransferSyntax syntax = DcmXfer(argv[3]).getXfer();
  const DJ_RPLossy lossy(argc > 4 ? std::atoi(argv[4]) : 90);
  const DJ_RPLossless lossless;
  const DJLSRepresentationParameter ls(argc > 4 ? static_cast<Uint16>(std::atoi(argv[4])) : 0,
                                       argc <= 4);
  const DcmRepresentationParameter* parameter = nullptr;
  if (syntax == EXS_JPEGProcess1 || syntax == EXS_JPEGProcess2_4) parameter = &lossy;
  if (syntax == EXS_JPEGProcess14 || syntax == EXS_JPEGProcess14SV1) parameter = &lossless;
  if (syntax == EXS_JPEGLSLossless || syntax == EXS_JPEGLSLossy) parameter = &ls;
  status = file.getDataset()->chooseRepresentation(syntax, parameter);
  if (status.good()) status = file.saveFile(argv[2], syntax);
  if (status.bad()) std::cerr << status.text() << "\n";
  return status.good() ? 0 : 1;
}
